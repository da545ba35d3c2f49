package ledger

import (
	"errors"
	"fmt"
)

var (
	// ErrUnavailable is a ledger that takes no entries now. ErrDiskFull,
	// ErrRolledBack, ErrClock and ErrClosed are it too (errors.Is).
	ErrUnavailable = errors.New("ledger unavailable")
	// ErrDiskFull is too little free disk. It passes when there is more.
	ErrDiskFull = fmt.Errorf("%w: the disk is nearly full", ErrUnavailable)
	// ErrRolledBack is a store behind what was already signed. Reads go on.
	ErrRolledBack = fmt.Errorf("%w: the store is behind what was signed before", ErrUnavailable)
	// ErrClock is a wall clock that cannot be right. It passes when the clock is
	// set back, or confirmed with ConfirmClock.
	ErrClock = fmt.Errorf("%w: the clock is not to be trusted", ErrUnavailable)
	// ErrClosed is a ledger that has been closed.
	ErrClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)

	// ErrBusy is a queue that had no room, or no turn, before the context ended:
	// the entry was not taken, and may be tried again.
	ErrBusy = errors.New("ledger busy")
	// ErrUncertain is a context that ended while the entry was being written: it
	// may be kept or not. Lookup will tell.
	ErrUncertain = errors.New("gave up while the entry was being written")
	// ErrExists is a name that an entry already has.
	ErrExists = errors.New("the name is taken")
	// ErrInvalid is an entry that cannot be: too long, or badly named.
	ErrInvalid = errors.New("not a ledger entry")
	// ErrNotFound is an index, tile or bundle beyond the ledger's size.
	ErrNotFound = errors.New("not in the ledger")
	// ErrTilePath is a path that names no tile and no bundle of any ledger.
	ErrTilePath = errors.New("not a tile path")
)
