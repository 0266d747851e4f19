package vision

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
)

// maxSide is the largest height and width of an image. It is checked before the pixels are decoded, since a small
// file may claim to be huge.
const maxSide = 2048

var errNoImage = errors.New("not a PNG or JPEG image")

// decodeImage decodes a PNG or JPEG image and returns the input of the network. Transparent parts are black.
func decodeImage(data []byte, side int) ([]float32, error) {
	config, decode := png.DecodeConfig, png.Decode
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		config, decode = jpeg.DecodeConfig, jpeg.Decode
	default:
		return nil, errNoImage
	}
	c, err := config(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := checkSides(c.Height, c.Width); err != nil {
		return nil, err
	}
	img, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	b := img.Bounds()
	rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(rgba, rgba.Bounds(), img, b.Min, draw.Src)
	in := make([]float32, 3*side*side)
	resize(in, side, rgba.Pix, layout{h: b.Dy(), w: b.Dx(), channels: 3, row: rgba.Stride, column: 4, channel: 1})
	return in, nil
}

func checkSides(h, w int) error {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return fmt.Errorf("the image is %d by %d pixels: each side must be 1 to %d", h, w, maxSide)
	}
	return nil
}

// A layout says where the values of an image lie: its size and the distance between neighbours in each direction.
type layout struct {
	h, w, channels       int // channels is 1 (grey) or 3
	row, column, channel int
}

// resize averages the source over the area of each pixel of the network's input, at least the nearest source
// pixel, and scales the values from 0..255 to -1..1. The input is row, column, channel; a grey source fills all three channels.
func resize[T uint8 | float32](in []float32, side int, src []T, l layout) {
	for y := range side {
		y0, y1 := span(y, side, l.h)
		for x := range side {
			x0, x1 := span(x, side, l.w)
			area := float32((y1 - y0) * (x1 - x0))
			o := in[3*(y*side+x) : 3*(y*side+x)+3]
			for c := range l.channels {
				var sum float32
				for sy := y0; sy < y1; sy++ {
					at := sy*l.row + c*l.channel
					for sx := x0; sx < x1; sx++ {
						sum += float32(src[at+sx*l.column])
					}
				}
				o[c] = sum/area/127.5 - 1
			}
			if l.channels == 1 {
				o[1], o[2] = o[0], o[0]
			}
		}
	}
}

// span returns which of size source pixels the i-th of n covers, at least one.
func span(i, n, size int) (from, to int) {
	from, to = i*size/n, (i+1)*size/n
	return from, max(to, from+1)
}
