package main

import "fmt"

func fibonacci(n int, cache map[int]int64) int64 {
	if n < 2 {
		return int64(n)
	}
	if _, ok := cache[n]; !ok {
		cache[n] = fibonacci(n-1, cache) + fibonacci(n-2, cache)
	}
	return cache[n]
}

func main() {
	cache := make(map[int]int64)
	for n := 0; n < 50; n += 7 {
		fmt.Printf("fibonacci(%d) = %d\n", n, fibonacci(n, cache))
	}
}
