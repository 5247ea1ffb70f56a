// Command judge verifies a log with what the Go project verifies its own checksum database with.
//
// It knows the tree and the notes from golang.org/x/mod only, and nothing of Miniseal. It reads a log in the form of
// C2SP tlog-tiles, from a folder or over HTTP, and checks the checkpoint's signature, every tile against the root, and
// whatever else it is asked. It prints what it has checked as JSON and exits 0, or says what is wrong and exits 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

var errNotFound = errors.New("not found")

// fetch reads a resource of the log: "checkpoint", "tile/0/000".
type fetch func(path string) ([]byte, error)

func fromFolder(folder string) fetch {
	return func(path string) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(path)))
		if errors.Is(err, os.ErrNotExist) {
			return nil, errNotFound
		}
		return data, err
	}
}

func fromURL(prefix, token string) fetch {
	client := &http.Client{Timeout: 20 * time.Second}
	return func(path string) ([]byte, error) {
		request, err := http.NewRequest("GET", strings.TrimSuffix(prefix, "/")+"/"+path, nil)
		if err != nil {
			return nil, err
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode == http.StatusNotFound {
			return nil, errNotFound
		}
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s is %s", path, response.Status)
		}
		return io.ReadAll(response.Body)
	}
}

// c2sp turns x/mod's path into that of C2SP, which has no height.
func c2sp(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
}

// tiles is what tlog reads hashes through; it counts and keeps what it has read.
type tiles struct {
	get  fetch
	read map[string][]byte
}

func (t *tiles) Height() int { return tileHeight }

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(wanted))
	for i, tile := range wanted {
		path := c2sp(tile)
		data, isRead := t.read[path]
		if !isRead {
			var err error
			if data, err = partOrWhole(t.get, path, tile.W*tlog.HashSize); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			t.read[path] = data
		}
		all[i] = data
	}
	return all, nil
}

// partOrWhole reads a tile, or the beginning of the full one where the partial one is not kept any more.
func partOrWhole(get fetch, path string, length int) ([]byte, error) {
	data, err := get(path)
	cut := strings.Index(path, ".p/")
	if !errors.Is(err, errNotFound) || cut < 0 {
		return data, err
	}
	if data, err = get(path[:cut]); err != nil {
		return nil, err
	}
	if len(data) < length {
		return nil, errors.New("the full tile is too short")
	}
	return data[:length], nil
}

// openCheckpoint verifies a note and reads its three lines.
func openCheckpoint(data []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] || size < 0 {
		return tlog.Tree{}, errors.New("not a size")
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

type verdict struct {
	Origin      string  `json:"origin"`
	Size        int64   `json:"size"`
	Root        string  `json:"root"`
	Tiles       int     `json:"tiles"`
	Entries     int64   `json:"entries"`
	Inclusion   []int64 `json:"inclusion"`
	Consistency []int64 `json:"consistency"`
	Proofs      int     `json:"proofs"`
}

type numbers []int64

func (n *numbers) String() string { return fmt.Sprint(*n) }
func (n *numbers) Set(text string) error {
	value, err := strconv.ParseInt(text, 10, 64)
	*n = append(*n, value)
	return err
}

type words []string

func (w *words) String() string { return strings.Join(*w, " ") }
func (w *words) Set(text string) error {
	*w = append(*w, text)
	return nil
}

type question struct {
	log, vkey, token         string
	withEntries              bool
	indexes, older           numbers
	previous, proofs, leaves words
}

func main() {
	var q question
	flag.StringVar(&q.log, "log", "", "folder or URL of the log")
	flag.StringVar(&q.vkey, "vkey", "", "verifier key of the log")
	flag.StringVar(&q.token, "token", "", "bearer token, for bundles")
	flag.BoolVar(&q.withEntries, "entries", false, "hash every entry of every bundle, too")
	flag.Var(&q.indexes, "index", "prove this entry (repeatable)")
	flag.Var(&q.older, "older", "prove that the tree of this size grew into the present one (repeatable)")
	flag.Var(&q.previous, "previous", "file of an earlier checkpoint to be consistent with (repeatable)")
	flag.Var(&q.proofs, "proof", "file of a tlog-proof (repeatable)")
	flag.Var(&q.leaves, "leaf", "file of the entry that the proof in the same place is about (repeatable)")
	flag.Parse()
	answer, err := judge(q)
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		os.Exit(1)
	}
}

func judge(q question) (*verdict, error) {
	get := fromFolder(q.log)
	if strings.HasPrefix(q.log, "http://") || strings.HasPrefix(q.log, "https://") {
		get = fromURL(q.log, q.token)
	}
	verifier, err := note.NewVerifier(q.vkey)
	if err != nil {
		return nil, err
	}
	data, err := get("checkpoint")
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	tree, err := openCheckpoint(data, verifier)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	read := &tiles{get: get, read: map[string][]byte{}}
	reader := tlog.TileHashReader(tree, read)
	answer := &verdict{Origin: verifier.Name(), Size: tree.N, Root: tree.Hash.String(), Inclusion: q.indexes, Consistency: q.older}
	if err := checkTiles(tree, reader, read); err != nil {
		return nil, err
	}
	answer.Tiles = len(read.read)
	if q.withEntries {
		if err := checkEntries(get, tree, reader); err != nil {
			return nil, err
		}
		answer.Entries = tree.N
	}
	for _, index := range q.indexes {
		if err := checkInclusion(tree, reader, index); err != nil {
			return nil, fmt.Errorf("inclusion of %d: %w", index, err)
		}
	}
	for _, size := range q.older {
		older, err := tlog.TreeHash(size, reader)
		if err == nil {
			err = checkConsistency(tree, reader, tlog.Tree{N: size, Hash: older})
		}
		if err != nil {
			return nil, fmt.Errorf("consistency from %d: %w", size, err)
		}
	}
	if err := checkPrevious(q.previous, verifier, tree, reader); err != nil {
		return nil, err
	}
	answer.Proofs = len(q.proofs)
	return answer, checkProofs(q.proofs, q.leaves, verifier)
}

// checkTiles reads every hash of every entry, which reads every tile, and checks each against the one above it.
func checkTiles(tree tlog.Tree, reader tlog.HashReader, read *tiles) error {
	if tree.N == 0 {
		return nil
	}
	indexes := make([]int64, tree.N)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	if _, err := reader.ReadHashes(indexes); err != nil {
		return err
	}
	// x/mod's NewTiles lists narrower tiles, too, so the list is made here.
	expected := 0
	for hashes := tree.N; hashes > 0; hashes /= tileWidth {
		expected += int((hashes + tileWidth - 1) / tileWidth)
	}
	if len(read.read) != expected {
		return fmt.Errorf("%d tiles were needed, and a tree of this size has %d", len(read.read), expected)
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err == nil && root != tree.Hash {
		err = errors.New("the tiles give another root")
	}
	return err
}

// checkEntries hashes the entries of all bundles, and compares them with the tiles of level 0.
func checkEntries(get fetch, tree tlog.Tree, reader tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += tileWidth {
		width := int(tree.N - first)
		if width > tileWidth {
			width = tileWidth
		}
		tile := tlog.Tile{H: tileHeight, L: 0, N: first / tileWidth, W: width}
		path := strings.Replace(c2sp(tile), "tile/0/", "tile/entries/", 1)
		data, err := get(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, hash := range hashes {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s is cut off", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:end]) != hash {
				return fmt.Errorf("entry %d does not have its hash", first+int64(i))
			}
			data = data[end:]
		}
		if len(data) != 0 {
			return fmt.Errorf("%s is too long", path)
		}
	}
	return nil
}

func checkInclusion(tree tlog.Tree, reader tlog.HashReader, index int64) error {
	hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, index, reader)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, hashes[0])
}

func checkConsistency(tree tlog.Tree, reader tlog.HashReader, older tlog.Tree) error {
	proof, err := tlog.ProveTree(tree.N, older.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash)
}

// checkPrevious checks that checkpoints which the log has signed before are of the same, growing tree.
func checkPrevious(files []string, verifier note.Verifier, tree tlog.Tree, reader tlog.HashReader) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		older, err := openCheckpoint(data, verifier)
		if err == nil {
			err = checkConsistency(tree, reader, older)
		}
		if err != nil {
			return fmt.Errorf("consistency with %s: %w", file, err)
		}
	}
	return nil
}

// checkProofs checks proofs in the form of C2SP tlog-proof, which bring their own checkpoint.
func checkProofs(proofs, leaves []string, verifier note.Verifier) error {
	if len(proofs) != len(leaves) {
		return errors.New("every proof needs its leaf")
	}
	for i, file := range proofs {
		proof, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		leaf, err := os.ReadFile(leaves[i])
		if err != nil {
			return err
		}
		if err := checkProof(proof, leaf, verifier); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func checkProof(proof, leaf []byte, verifier note.Verifier) error {
	head, checkpoint, isSplit := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !isSplit || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("a proof without an index")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return err
	}
	path := tlog.RecordProof{}
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return errors.New("not a hash")
		}
		path = append(path, tlog.Hash(*(*[tlog.HashSize]byte)(hash)))
	}
	tree, err := openCheckpoint(checkpoint, verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}
