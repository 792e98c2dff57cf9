def shortest_path(graph, start, goal)
  queue = [start]
  came_from = { start => nil }
  until queue.empty?
    place = queue.shift
    break if place == goal

    graph[place].each do |neighbour|
      unless came_from.key?(neighbour)
        came_from[neighbour] = place
        queue.push(neighbour)
      end
    end
  end
  return nil unless came_from.key?(goal)

  path = []
  place = goal
  until place.nil?
    path.unshift(place)
    place = came_from[place]
  end
  path
end

def main
  graph = {
    "A" => %w[B C],
    "B" => %w[A D],
    "C" => %w[A D],
    "D" => %w[B C E],
    "E" => %w[D],
    "F" => []
  }
  %w[E A F].each do |goal|
    path = shortest_path(graph, "A", goal)
    if path.nil?
      puts "A to #{goal}: no path"
    else
      puts "A to #{goal}: #{path.join(' ')}"
    end
  end
end

main if __FILE__ == $PROGRAM_NAME
