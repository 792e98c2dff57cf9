def primes_below(limit)
  is_prime = Array.new(limit, true)
  is_prime[0] = false
  is_prime[1] = false
  n = 2
  while n * n < limit
    if is_prime[n]
      (n * n).step(limit - 1, n) do |multiple|
        is_prime[multiple] = false
      end
    end
    n += 1
  end
  (0...limit).select { |candidate| is_prime[candidate] }
end

def main
  primes = primes_below(60)
  puts "#{primes.length} primes, the last is #{primes.last}"
  puts primes.join(" ")
end

main if __FILE__ == $PROGRAM_NAME
