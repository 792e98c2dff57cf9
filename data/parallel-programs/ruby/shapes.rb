class Shape
  def area
    raise NotImplementedError
  end

  def name
    raise NotImplementedError
  end
end

class Rectangle < Shape
  def initialize(width, height)
    super()
    @width = width
    @height = height
  end

  def area
    @width * @height
  end

  def name
    "rectangle"
  end
end

class Triangle < Shape
  def initialize(base, height)
    super()
    @base = base
    @height = height
  end

  def area
    @base * @height / 2.0
  end

  def name
    "triangle"
  end
end

def main
  shapes = [Rectangle.new(3, 4), Triangle.new(5, 3), Rectangle.new(2, 2)]
  total = 0
  shapes.each do |shape|
    puts format("%s: %.2f", shape.name, shape.area)
    total += shape.area
  end
  puts format("total: %.2f", total)
end

main if __FILE__ == $PROGRAM_NAME
