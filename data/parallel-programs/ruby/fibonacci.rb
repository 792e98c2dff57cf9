def fibonacci(n, cache)
  return n if n < 2

  cache[n] ||= fibonacci(n - 1, cache) + fibonacci(n - 2, cache)
end

def main
  cache = {}
  (0...50).step(7) do |n|
    puts "fibonacci(#{n}) = #{fibonacci(n, cache)}"
  end
end

main if __FILE__ == $PROGRAM_NAME
