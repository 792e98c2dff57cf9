class Node
  attr_reader :value
  attr_accessor :next_node

  def initialize(value, next_node = nil)
    @value = value
    @next_node = next_node
  end
end

class LinkedList
  def initialize
    @head = nil
  end

  def push(value)
    @head = Node.new(value, @head)
  end

  def reverse
    previous = nil
    node = @head
    until node.nil?
      following = node.next_node
      node.next_node = previous
      previous = node
      node = following
    end
    @head = previous
  end

  def describe
    parts = []
    node = @head
    until node.nil?
      parts << node.value.to_s
      node = node.next_node
    end
    parts.join(" -> ")
  end
end

def main
  numbers = LinkedList.new
  (1..5).each { |value| numbers.push(value) }
  puts numbers.describe
  numbers.reverse
  puts numbers.describe
end

main if __FILE__ == $PROGRAM_NAME
