package upstream

import "time"

// take returns the most recently used idle connection that is fit for use, or
// nil. The last one in is the first out, so that under falling load the rest grow
// old and close.
func (c *Client) take() *conn {
	for {
		cn := c.pop()
		if cn == nil || cn.finish() {
			return cn
		}
		cn.net.Close()
	}
}

func (c *Client) pop() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	cn := c.idle[n-1]
	c.idle[n-1] = nil
	c.idle = c.idle[:n-1]
	return cn
}

// put keeps cn for the next call, or closes it when enough are kept.
func (c *Client) put(cn *conn) {
	cn.idleSince = time.Now()
	c.mu.Lock()
	if c.closed || len(c.idle) >= c.maxIdle {
		c.mu.Unlock()
		cn.net.Close()
		return
	}
	c.idle = append(c.idle, cn)
	if c.reaper == nil {
		c.reaper = time.AfterFunc(c.idleTimeout, c.reap)
	}
	c.mu.Unlock()
}

// reap closes what has been idle for too long, and comes back when the next
// would be. A timer and no goroutine: an unused client costs nothing.
func (c *Client) reap() {
	now := time.Now()
	c.mu.Lock()
	old := 0
	for old < len(c.idle) && now.Sub(c.idle[old].idleSince) >= c.idleTimeout {
		c.idle[old].net.Close()
		old++
	}
	kept := copy(c.idle, c.idle[old:])
	clear(c.idle[kept:])
	c.idle = c.idle[:kept]
	if kept == 0 || c.closed {
		c.reaper = nil
	} else {
		c.reaper = time.AfterFunc(c.idleTimeout-now.Sub(c.idle[0].idleSince), c.reap)
	}
	c.mu.Unlock()
}

// drop closes every idle connection. When one turns out stale the server has
// most likely restarted, and the retry must not meet the next stale one.
func (c *Client) drop() {
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, cn := range idle {
		cn.net.Close()
	}
}

// Close closes the idle connections; those in use close when their call ends.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	if c.reaper != nil {
		c.reaper.Stop()
		c.reaper = nil
	}
	c.mu.Unlock()
	c.drop()
}
