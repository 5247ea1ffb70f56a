// Checks a log over HTTP with golang.org/x/mod and nothing of Miniseal's.
//
//	http-log BASE VKEY TOKEN OLD,OLD,…
//
// It opens the checkpoint, reads tiles that it authenticates against the root, proves and checks chosen records, compares
// them with the entries, and checks that the tree continues those of the old sizes.
package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var base, token string

func get(path string) []byte {
	request, err := http.NewRequest("GET", base+path, nil)
	check(err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(err)
	if response.StatusCode != 200 {
		fail("%s: status %d", path, response.StatusCode)
	}
	return body
}

type tiles struct{}

func (tiles) Height() int { return 8 }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		// x/mod writes the height, tile/8/L/N; C2SP does not.
		data = append(data, get("/"+strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return data, nil
}

// entry gives one record of a bundle: each after its length, 16 bits big-endian.
func entry(index, size int64) []byte {
	tile := tlog.Tile{H: 8, L: -1, N: index / 256, W: 256}
	if (tile.N+1)*256 > size {
		tile.W = int(size % 256)
	}
	bundle := get("/" + strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1))
	for i := int64(0); ; i++ {
		length := int(bundle[0])<<8 | int(bundle[1])
		record := bundle[2 : 2+length]
		bundle = bundle[2+length:]
		if i == index%256 {
			if i == int64(tile.W)-1 && len(bundle) != 0 {
				fail("a bundle goes on after its last entry")
			}
			return record
		}
	}
}

func main() {
	base, token = os.Args[1], os.Args[3]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	opened, err := note.Open(get("/checkpoint"), note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("the checkpoint is not of three lines, or of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	reader := tlog.TileHashReader(tree, tiles{})
	for _, index := range []int64{0, 1, 254, 255, 256, 257, size / 2, size - 2, size - 1} {
		if index < 0 || index >= size {
			continue
		}
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		if tlog.RecordHash(entry(index, size)) != hashes[0] {
			fail("entry %d has another hash", index)
		}
		proof, err := tlog.ProveRecord(size, index, reader)
		check(err)
		check(tlog.CheckRecord(proof, size, tree.Hash, index, hashes[0]))
	}
	for _, text := range strings.Split(os.Args[4], ",") {
		parts := strings.Split(text, ":")
		old, err := strconv.ParseInt(parts[0], 10, 64)
		check(err)
		oldRoot, err := base64.StdEncoding.DecodeString(parts[1])
		check(err)
		var before tlog.Hash
		copy(before[:], oldRoot)
		proof, err := tlog.ProveTree(size, old, reader)
		check(err)
		check(tlog.CheckTree(proof, size, tree.Hash, old, before))
	}
	fmt.Printf("%d:%s\n", size, lines[2])
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
