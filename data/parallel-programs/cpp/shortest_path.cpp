#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <vector>

using Path = std::vector<std::string>;
using Graph = std::map<std::string, std::vector<std::string>>;

std::optional<Path> shortest_path(const Graph& graph, const std::string& start,
                                  const std::string& goal) {
  std::queue<std::string> queue;
  std::map<std::string, std::optional<std::string>> came_from;
  queue.push(start);
  came_from[start] = std::nullopt;
  while (!queue.empty()) {
    const std::string place = queue.front();
    queue.pop();
    if (place == goal) {
      break;
    }
    for (const auto& neighbour : graph.at(place)) {
      if (came_from.find(neighbour) == came_from.end()) {
        came_from[neighbour] = place;
        queue.push(neighbour);
      }
    }
  }
  if (came_from.find(goal) == came_from.end()) {
    return std::nullopt;
  }
  Path path;
  std::optional<std::string> place = goal;
  while (place.has_value()) {
    path.push_back(*place);
    place = came_from[*place];
  }
  std::reverse(path.begin(), path.end());
  return path;
}

int main() {
  const Graph graph = {
      {"A", {"B", "C"}},      {"B", {"A", "D"}}, {"C", {"A", "D"}},
      {"D", {"B", "C", "E"}}, {"E", {"D"}},      {"F", {}},
  };
  for (const char* goal : {"E", "A", "F"}) {
    const auto path = shortest_path(graph, "A", goal);
    std::cout << "A to " << goal << ':';
    if (!path.has_value()) {
      std::cout << " no path";
    } else {
      for (const auto& place : *path) {
        std::cout << ' ' << place;
      }
    }
    std::cout << '\n';
  }
}
