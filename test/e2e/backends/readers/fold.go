// Says which characters encoding/json takes for one another in the names of members, as pairs of code points.
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
