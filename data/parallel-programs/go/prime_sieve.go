package main

import (
	"fmt"
	"strconv"
	"strings"
)

func primesBelow(limit int) []int {
	isPrime := make([]bool, limit)
	for n := range isPrime {
		isPrime[n] = true
	}
	isPrime[0] = false
	isPrime[1] = false
	for n := 2; n*n < limit; n++ {
		if isPrime[n] {
			for multiple := n * n; multiple < limit; multiple += n {
				isPrime[multiple] = false
			}
		}
	}
	var primes []int
	for n, prime := range isPrime {
		if prime {
			primes = append(primes, n)
		}
	}
	return primes
}

func main() {
	primes := primesBelow(60)
	fmt.Printf("%d primes, the last is %d\n", len(primes), primes[len(primes)-1])
	var parts []string
	for _, prime := range primes {
		parts = append(parts, strconv.Itoa(prime))
	}
	fmt.Println(strings.Join(parts, " "))
}
