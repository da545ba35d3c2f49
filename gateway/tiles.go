package gateway

import (
	"errors"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// The ledger as the public reads it: C2SP tlog-tiles under /ledger/. Everything
// here is open to anyone; a leaf holds no text.

const (
	contentText  = "text/plain; charset=utf-8"
	contentBytes = "application/octet-stream"

	// maxBundles is how many entry bundles are put together, and zipped, at once: one
	// may be 16 MiB, and anybody may ask. Who needs more serves an export.
	maxBundles = 4

	// What a tile path names never changes. The checkpoint does, with each batch.
	cacheForever = "public, max-age=31536000, immutable"
	cacheBriefly = "public, max-age=1"
	cacheNever   = "no-store" // what is not there yet may be in a moment
)

// getCheckpoint serves GET /ledger/checkpoint: the published tree head, signed,
// with its witnesses' cosignatures.
func (g *Gateway) getCheckpoint(ctx *fasthttp.RequestCtx) error {
	ctx.SetContentType(contentText)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, cacheBriefly)
	ctx.SetBody(g.ledger.Published())
	return nil
}

// getLedgerKey serves GET /ledger/key: the verifier key in note form.
func (g *Gateway) getLedgerKey(ctx *fasthttp.RequestCtx) error {
	ctx.SetContentType(contentText)
	ctx.SetBodyString(g.ledger.VerifierKey() + "\n")
	return nil
}

// getTile serves GET /ledger/tile/…: hash tiles and entry bundles, of any width
// that the ledger's size covers.
func (g *Gateway) getTile(ctx *fasthttp.RequestCtx) error {
	rest, _ := ctx.UserValue("path").(string)
	p, err := parseTilePath("tile/" + rest)
	if err == nil && p.Entries {
		g.bundling <- struct{}{}
		defer func() { <-g.bundling }()
	}
	var data []byte
	if err == nil {
		data, err = g.readTile(p)
	}
	if err != nil {
		ctx.Response.Header.Set(fasthttp.HeaderCacheControl, cacheNever)
		return err
	}
	ctx.SetContentType(contentBytes)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, cacheForever)
	if p.Entries {
		ctx.Response.Header.Set(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
		if ctx.Request.Header.HasAcceptEncoding("gzip") {
			// The fastest level makes JSON a fifth; the best takes ten times as long
			// for little more, and anybody may ask.
			data = fasthttp.AppendGzipBytesLevel(nil, data, fasthttp.CompressBestSpeed)
			ctx.Response.Header.SetContentEncoding("gzip")
		}
	}
	ctx.SetBody(data) // hashes do not get smaller
	return nil
}

func parseTilePath(path string) (ledger.TilePath, error) {
	p, err := ledger.ParseTilePath([]byte(path))
	if err != nil {
		return p, &wire.Error{Code: wire.InvalidValue, Message: "this names no tile of a ledger",
			Details: []wire.Detail{{Field: "path", Problem: "want tile/LEVEL/N[.p/W] or tile/entries/N[.p/W], N as in x001/x234/067"}}}
	}
	return p, nil
}

func (g *Gateway) readTile(p ledger.TilePath) ([]byte, error) {
	data, err := g.ledger.Read(p)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, refuse(wire.NotFound, fmt.Sprintf("the ledger has no %s: it has %d entries", p, g.ledger.Size()))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p, err)
	}
	return data, nil
}
