package main

import "fmt"

func binarySearch(items []int, target int) int {
	low, high := 0, len(items)-1
	for low <= high {
		middle := low + (high-low)/2
		switch {
		case items[middle] == target:
			return middle
		case items[middle] < target:
			low = middle + 1
		default:
			high = middle - 1
		}
	}
	return -1
}

func main() {
	numbers := []int{2, 3, 5, 7, 11, 13, 17, 19}
	for _, target := range []int{7, 2, 19, 4} {
		position := binarySearch(numbers, target)
		if position < 0 {
			fmt.Printf("%d is missing\n", target)
		} else {
			fmt.Printf("%d is at %d\n", target, position)
		}
	}
}
