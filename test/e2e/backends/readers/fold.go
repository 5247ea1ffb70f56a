// Prints the pairs of code points that encoding/json treats as equal in member names.
package main

import (
	"fmt"
	"unicode"
)

func main() {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if other := unicode.SimpleFold(r); other != r {
			fmt.Println(r, other)
		}
	}
}
