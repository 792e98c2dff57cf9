def evaluate(expression)
  stack = []
  expression.split.each do |symbol|
    if %w[+ - *].include?(symbol)
      right = stack.pop
      left = stack.pop
      case symbol
      when "+"
        stack.push(left + right)
      when "-"
        stack.push(left - right)
      else
        stack.push(left * right)
      end
    else
      stack.push(Integer(symbol))
    end
  end
  stack.pop
end

def main
  ["3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"].each do |expression|
    puts "#{expression} = #{evaluate(expression)}"
  end
end

main if __FILE__ == $PROGRAM_NAME
