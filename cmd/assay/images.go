package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"

	"github.com/assay-dev/assay/loadgen"
)

// How many images are made for a classifier that the plan gives none, and their side in pixels: that of the
// images most classifiers were trained on.
const (
	madeImages = 16
	imageSide  = 224
)

// images returns bodies with made-up photographs, the same for the same seed, in the form that the client of the kind sends.
func images(seed uint64, kind string) (*loadgen.Payloads, error) {
	rng := rand.New(rand.NewPCG(seed, 0x1a6e5))
	var list []loadgen.Payload
	for range madeImages {
		data, err := picture(rng)
		if err != nil {
			return nil, err
		}
		if kind == "kserve1" {
			list = append(list, loadgen.InstancePayload(data))
		} else {
			list = append(list, loadgen.Payload{Body: data, Type: "image/jpeg"})
		}
	}
	return loadgen.NewPayloads(list...)
}

// picture draws coloured discs on a slope of light, with some grain: about as long to decode as a photograph.
func picture(rng *rand.Rand) ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, imageSide, imageSide))
	type disc struct{ x, y, r2, c int }
	discs := make([]disc, 12)
	for i := range discs {
		r := 8 + rng.IntN(48)
		discs[i] = disc{rng.IntN(imageSide), rng.IntN(imageSide), r * r, rng.IntN(1 << 24)}
	}
	for y := range imageSide {
		for x := range imageSide {
			c := (x+y)/4<<16 | y/2<<8 | x/2
			for _, d := range discs {
				if dx, dy := x-d.x, y-d.y; dx*dx+dy*dy < d.r2 {
					c = d.c
				}
			}
			grain := rng.IntN(16)
			img.SetRGBA(x, y, color.RGBA{uint8(min(255, c>>16&0xff+grain)), uint8(min(255, c>>8&0xff+grain)), uint8(min(255, c&0xff+grain)), 255})
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85})
	return b.Bytes(), err
}
