def to_fahrenheit(celsius)
  celsius * 9.0 / 5.0 + 32.0
end

def main
  puts "celsius fahrenheit"
  total = 0.0
  count = 0
  (-10...45).step(10) do |celsius|
    fahrenheit = to_fahrenheit(celsius)
    puts format("%d %.1f", celsius, fahrenheit)
    total += fahrenheit
    count += 1
  end
  puts format("mean %.3f", total / count)
end

main if __FILE__ == $PROGRAM_NAME
