//go:build !race

package answer

// hostileSize is how long hostile texts are: what a reply may have.
const hostileSize = 1 << 20
