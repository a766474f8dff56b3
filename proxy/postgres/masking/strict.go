package masking

import (
	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
)

// choice gathers the masks that apply to one value.
type choice struct {
	mask mask.Mask
	made bool
}

func (c *choice) add(m mask.Mask) {
	if !c.made || stricter(m, c.mask) {
		c.mask, c.made = m, true
	}
}

func (c *choice) join(other choice) {
	if other.made {
		c.add(other.mask)
	}
}

// computed is the mask of what is computed from a masked value: nothing of it is left.
// What Partial leaves of reverse(email) is the beginning of the address, and the Hash of
// a part of it, or of a guess, tells that part.
func (c choice) computed() choice {
	switch c.mask.How {
	case v1alpha1.MaskPartial, v1alpha1.MaskHash:
		c.mask.How = v1alpha1.MaskRedact
	case v1alpha1.MaskRedact, v1alpha1.MaskNull, v1alpha1.MaskConstant:
	}
	return c
}

// stricter says whether a tells less of a value than b, and decides between two that
// tell as much.
func stricter(a, b mask.Mask) bool {
	if x, y := telling(a), telling(b); x != y {
		return x < y
	}
	return a.Reason < b.Reason
}

// telling ranks masks by what they tell of a value.
func telling(m mask.Mask) int {
	switch m.How {
	case v1alpha1.MaskNull:
		return 0
	case v1alpha1.MaskConstant:
		return 2
	case v1alpha1.MaskHash:
		return 3
	case v1alpha1.MaskPartial:
		return 4 + m.KeepLast
	case v1alpha1.MaskRedact:
	}
	return 1
}
