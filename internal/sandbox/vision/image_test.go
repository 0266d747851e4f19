package vision

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
)

// picture is an image whose colour says where a pixel is.
func picture(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / max(w-1, 1)), uint8(y * 255 / max(h-1, 1)), 128, 255})
		}
	}
	return img
}

func pngOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestResize(t *testing.T) {
	at := func(v float32) float32 { return v/127.5 - 1 }
	// Grey, 4×4 to 2×2: each is the mean of four.
	src := []float32{0, 10, 20, 30, 0, 10, 20, 30, 100, 100, 200, 200, 100, 100, 200, 200}
	in := make([]float32, 12)
	resize(in, 2, src, layout{h: 4, w: 4, channels: 1, row: 4, column: 1})
	want := []float32{at(5), at(5), at(5), at(25), at(25), at(25), at(100), at(100), at(100), at(200), at(200), at(200)}
	if !slices.Equal(in, want) {
		t.Errorf("shrunk: got %v, want %v", in, want)
	}
	// 1×1 to 2×2: the one pixel everywhere.
	resize(in, 2, []uint8{1, 2, 3}, layout{h: 1, w: 1, channels: 3, row: 3, column: 3, channel: 1})
	want = slices.Repeat([]float32{at(1), at(2), at(3)}, 4)
	if !slices.Equal(in, want) {
		t.Errorf("grown: got %v, want %v", in, want)
	}
	// The two orders of channels are the same image.
	rows, planes := make([]uint8, 5*7*3), make([]uint8, 5*7*3)
	for y := range 5 {
		for x := range 7 {
			for c := range 3 {
				v := uint8(y*31 + x*7 + c*50)
				rows[(y*7+x)*3+c], planes[c*35+y*7+x] = v, v
			}
		}
	}
	a, err := imagesOf(rows, []int{1, 5, 7, 3}, 4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := imagesOf(planes, []int{3, 5, 7}, 4)
	if err != nil || !slices.Equal(a[0], b[0]) {
		t.Errorf("planes differ from rows: %v", err)
	}
}

func TestDecodeImage(t *testing.T) {
	img := picture(90, 70)
	fromPNG, err := decodeImage(pngOf(t, img), 64)
	if err != nil {
		t.Fatal(err)
	}
	fromJPEG, err := decodeImage(jpegOf(t, img), 64)
	if err != nil {
		t.Fatal(err)
	}
	var worst float64
	for i := range fromPNG {
		worst = max(worst, math.Abs(float64(fromPNG[i]-fromJPEG[i])))
	}
	if worst > 0.1 {
		t.Errorf("PNG and JPEG of one picture differ by %g of 2", worst)
	}
	if left, right, low := fromPNG[0], fromPNG[3*63], fromPNG[3*63*64+1]; left > -0.95 || right < 0.95 || low < 0.95 {
		t.Errorf("corners: got %g, %g, %g, want -1, 1, 1", left, right, low)
	}
	grey := image.NewGray(image.Rect(3, 3, 13, 13)) // its bounds do not begin at zero
	for i := range grey.Pix {
		grey.Pix[i] = 255
	}
	if in, err := decodeImage(pngOf(t, grey), 8); err != nil || in[0] != 1 || in[len(in)-1] != 1 {
		t.Errorf("white: got %v, %v", in, err)
	}
	for want, data := range map[string][]byte{
		errNoImage.Error(): []byte("GIF89a..."), "not enough pixel data": pngOf(t, img)[:60], "EOF": jpegOf(t, img)[:4],
		"5000 by 10 pixels": hugePNG(10, 5000),
	} {
		if _, err := decodeImage(data, 64); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// hugePNG is the header of an image that claims to be large and holds nothing.
func hugePNG(w, h uint32) []byte {
	ihdr := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	ihdr = append(ihdr, 8, 2, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(b, ihdr...), crc32.ChecksumIEEE(ihdr))
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		`[1,2.5,255]`: "[1 2.5 255] [3]", `[[1],[2]]`: "[1 2] [2 1]", ` [ [ 1 , 2 ] , [ 3 , 4e1 ] ] `: "[1 2 3 40] [2 2]",
		`[[[[1]]]]`: "[1] [1 1 1 1]", `[]`: errNumbers.Error(), `[[],[]]`: errNumbers.Error(), `7`: errNumbers.Error(),
		`[1,[2]]`: errRagged.Error(), `[[1],2]`: errRagged.Error(), `[[1],[2,3]]`: errRagged.Error(), `[[],1]`: errRagged.Error(),
		`[256]`: errRange.Error(), `[-1]`: errRange.Error(), `["a"]`: errNumbers.Error(), `[{"a":1}]`: errNumbers.Error(), `[null]`: errNumbers.Error(),
		`[[[[[[1]]]]]]`: errNumbers.Error(), `[true]`: errNumbers.Error(), `[1e99]`: errNumbers.Error(), `[[[1]],[[]]]`: errRagged.Error(),
	} {
		values, shape, err := numbers([]byte(text))
		got := strings.TrimSpace(strings.Join([]string{sprint(values), sprint(shape)}, " "))
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
