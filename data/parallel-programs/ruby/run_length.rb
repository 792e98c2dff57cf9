def encode(text)
  result = ""
  index = 0
  while index < text.length
    run = 1
    run += 1 while index + run < text.length && text[index + run] == text[index]
    result += "#{text[index]}#{run}"
    index += run
  end
  result
end

def decode(code)
  result = ""
  index = 0
  while index < code.length
    result += code[index] * code[index + 1].to_i
    index += 2
  end
  result
end

def main
  %w[aaabccdddd x zzzzzz].each do |text|
    code = encode(text)
    same = decode(code) == text
    puts "#{text} becomes #{code}, restored: #{same ? 'yes' : 'no'}"
  end
end

main if __FILE__ == $PROGRAM_NAME
