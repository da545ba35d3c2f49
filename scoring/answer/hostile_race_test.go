//go:build race

package answer

// hostileSize is less where every access is checked, which takes ten times as long
// and finds nothing that depends on the length.
const hostileSize = 1 << 17
