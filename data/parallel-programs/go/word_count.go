package main

import (
	"fmt"
	"sort"
	"strings"
)

func countWords(text string) map[string]int {
	counts := make(map[string]int)
	for _, word := range strings.Fields(strings.ToLower(text)) {
		counts[word]++
	}
	return counts
}

func main() {
	text := "The cat saw the dog and the dog saw the bird"
	counts := countWords(text)
	var words []string
	for word := range counts {
		words = append(words, word)
	}
	sort.Strings(words)
	for _, word := range words {
		if counts[word] > 1 {
			fmt.Printf("%s: %d\n", word, counts[word])
		}
	}
	fmt.Printf("different words: %d\n", len(counts))
}
