package engine

// blockTokens is the number of tokens in a block of the KV cache.
const blockTokens = 16

// A kvCache is a pool of blocks. A block holds keys and values of 16 consecutive
// tokens of one sequence, for all layers; a sequence's block table says where they lie. The keys of a head are
// contiguous within a block, so attention reads one block and head as a 16×headDim matrix.
type kvCache struct {
	blocks int
	free   []int32 // a stack
	stride int     // floats of one block in one layer
	headSz int     // floats of one head in one block
	k, v   [][]float32
}

func newKVCache(s ModelSize, tokens int) *kvCache {
	c := &kvCache{blocks: tokens / blockTokens, stride: s.Width * blockTokens, headSz: s.headDim() * blockTokens}
	for range s.Layers {
		c.k = append(c.k, make([]float32, c.blocks*c.stride))
		c.v = append(c.v, make([]float32, c.blocks*c.stride))
	}
	for b := c.blocks - 1; b >= 0; b-- {
		c.free = append(c.free, int32(b))
	}
	return c
}

// blocksFor returns how many blocks hold n tokens.
func blocksFor(n int) int { return (n + blockTokens - 1) / blockTokens }

// grow extends a block table so that it holds n tokens. It either succeeds or changes nothing.
func (c *kvCache) grow(table *[]int32, n int) bool {
	need := blocksFor(n) - len(*table)
	if need > len(c.free) {
		return false
	}
	for range need {
		last := len(c.free) - 1
		*table = append(*table, c.free[last])
		c.free = c.free[:last]
	}
	return true
}

// release gives back all blocks of a table.
func (c *kvCache) release(table *[]int32) {
	c.free = append(c.free, *table...)
	*table = (*table)[:0]
}

func (c *kvCache) used() int { return c.blocks - len(c.free) }

// head returns keys and values of one head in one block.
func (c *kvCache) head(layer int, block int32, head int) (k, v []float32) {
	at := int(block)*c.stride + head*c.headSz
	return c.k[layer][at : at+c.headSz], c.v[layer][at : at+c.headSz]
}
