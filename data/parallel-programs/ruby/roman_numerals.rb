VALUES = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1].freeze
NUMERALS = %w[M CM D CD C XC L XL X IX V IV I].freeze

def to_roman(number)
  result = ""
  VALUES.each_with_index do |value, index|
    while number >= value
      result += NUMERALS[index]
      number -= value
    end
  end
  result
end

def main
  [4, 1066, 1492, 1987, 2024].each do |year|
    puts "#{year} is #{to_roman(year)}"
  end
end

main if __FILE__ == $PROGRAM_NAME
