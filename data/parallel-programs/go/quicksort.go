package main

import (
	"fmt"
	"strconv"
	"strings"
)

func partition(items []int, low, high int) int {
	pivot := items[high]
	border := low
	for index := low; index < high; index++ {
		if items[index] < pivot {
			items[border], items[index] = items[index], items[border]
			border++
		}
	}
	items[border], items[high] = items[high], items[border]
	return border
}

func quicksort(items []int, low, high int) {
	if low < high {
		border := partition(items, low, high)
		quicksort(items, low, border-1)
		quicksort(items, border+1, high)
	}
}

func main() {
	numbers := []int{33, 4, 15, 8, 42, 16, 23, 4, 0, -7}
	quicksort(numbers, 0, len(numbers)-1)
	var parts []string
	for _, number := range numbers {
		parts = append(parts, strconv.Itoa(number))
	}
	fmt.Println(strings.Join(parts, " "))
}
