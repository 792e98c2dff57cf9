def binary_search(items, target)
  low = 0
  high = items.length - 1
  while low <= high
    middle = (low + high) / 2
    if items[middle] == target
      return middle
    elsif items[middle] < target
      low = middle + 1
    else
      high = middle - 1
    end
  end
  nil
end

def main
  numbers = [2, 3, 5, 7, 11, 13, 17, 19]
  [7, 2, 19, 4].each do |target|
    position = binary_search(numbers, target)
    if position.nil?
      puts "#{target} is missing"
    else
      puts "#{target} is at #{position}"
    end
  end
end

main if __FILE__ == $PROGRAM_NAME
