package sim

import "math/rand/v2"

// FNV-1a and splitmix64: small, and the same on every machine and in every
// process, which hash/maphash is not.

func hash(seed uint64, parts ...string) uint64 {
	h := 14695981039346656037 ^ mix(seed)
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211 // no byte of UTF-8, so parts cannot run together
	}
	return mix(h)
}

// mix is splitmix64's finaliser: every input bit reaches every output bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// source is a random number generator that depends on seed and parts alone.
func source(seed uint64, parts ...string) *rand.Rand {
	h := hash(seed, parts...)
	return rand.New(rand.NewPCG(h, mix(h)))
}
