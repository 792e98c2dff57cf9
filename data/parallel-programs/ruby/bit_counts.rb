def count_bits(number)
  count = 0
  until number.zero?
    count += number & 1
    number >>= 1
  end
  count
end

def power_of_two?(number)
  number.positive? && (number & (number - 1)).zero?
end

def main
  [0, 1, 64, 255, 1000].each do |number|
    answer = power_of_two?(number) ? "yes" : "no"
    puts "#{number}: #{count_bits(number)} bits, power of two: #{answer}"
  end
  puts [6 ^ 3, 6 | 9, ~6 & 15, 1 << 10].join(" ")
end

main if __FILE__ == $PROGRAM_NAME
