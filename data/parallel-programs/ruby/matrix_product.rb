def multiply(left, right)
  rows = left.length
  columns = right[0].length
  product = Array.new(rows) { Array.new(columns, 0) }
  rows.times do |row|
    columns.times do |column|
      total = 0
      right.length.times do |inner|
        total += left[row][inner] * right[inner][column]
      end
      product[row][column] = total
    end
  end
  product
end

def main
  left = [[1, 2, 3], [4, 5, 6]]
  right = [[7, 8], [9, 10], [11, 12]]
  multiply(left, right).each do |row|
    puts row.join(", ")
  end
end

main if __FILE__ == $PROGRAM_NAME
