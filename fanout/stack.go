package fanout

// deepest is about how much stack a call uses, from the seat down through JSON
// and the network, with what it takes to score a reply.
const deepest = 12 << 10

// growStack makes room on a new goroutine's stack once, while it is almost
// empty. A goroutine begins with little and would double three times in the
// depth of a call, each time moving all frames: over a quarter of a call's CPU,
// measured. The array is never touched; that the frame has it is all.
//
//go:noinline
func growStack(never bool) byte {
	if never {
		var room [deepest]byte
		return room[len(classNames[0])]
	}
	return 0
}
