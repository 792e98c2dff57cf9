def partition(items, low, high)
  pivot = items[high]
  border = low
  (low...high).each do |index|
    next unless items[index] < pivot

    items[border], items[index] = items[index], items[border]
    border += 1
  end
  items[border], items[high] = items[high], items[border]
  border
end

def quicksort(items, low, high)
  return unless low < high

  border = partition(items, low, high)
  quicksort(items, low, border - 1)
  quicksort(items, border + 1, high)
end

def main
  numbers = [33, 4, 15, 8, 42, 16, 23, 4, 0, -7]
  quicksort(numbers, 0, numbers.length - 1)
  puts numbers.join(" ")
end

main if __FILE__ == $PROGRAM_NAME
