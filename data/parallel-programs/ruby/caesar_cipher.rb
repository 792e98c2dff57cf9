ALPHABET = "abcdefghijklmnopqrstuvwxyz".freeze

def shift_letter(letter, distance)
  position = ALPHABET.index(letter)
  return letter if position.nil?

  ALPHABET[(position + distance) % ALPHABET.length]
end

def encode(text, distance)
  text.chars.map { |letter| shift_letter(letter, distance) }.join
end

def main
  secret = encode("attack at dawn, bring a zebra", 3)
  puts secret
  puts encode(secret, 26 - 3)
end

main if __FILE__ == $PROGRAM_NAME
