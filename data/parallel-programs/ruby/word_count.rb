def count_words(text)
  counts = Hash.new(0)
  text.downcase.split.each do |word|
    counts[word] += 1
  end
  counts
end

def main
  text = "The cat saw the dog and the dog saw the bird"
  counts = count_words(text)
  counts.keys.sort.each do |word|
    puts "#{word}: #{counts[word]}" if counts[word] > 1
  end
  puts "different words: #{counts.length}"
end

main if __FILE__ == $PROGRAM_NAME
