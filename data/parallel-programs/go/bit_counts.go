package main

import "fmt"

func countBits(number int) int {
	count := 0
	for number != 0 {
		count += number & 1
		number >>= 1
	}
	return count
}

func isPowerOfTwo(number int) bool {
	return number > 0 && number&(number-1) == 0
}

func main() {
	for _, number := range []int{0, 1, 64, 255, 1000} {
		answer := "no"
		if isPowerOfTwo(number) {
			answer = "yes"
		}
		fmt.Printf("%d: %d bits, power of two: %s\n", number, countBits(number), answer)
	}
	fmt.Println(6^3, 6|9, ^6&15, 1<<10)
}
