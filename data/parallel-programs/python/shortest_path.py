def shortest_path(graph, start, goal):
    queue = [start]
    came_from = {start: None}
    while queue:
        place = queue.pop(0)
        if place == goal:
            break
        for neighbour in graph[place]:
            if neighbour not in came_from:
                came_from[neighbour] = place
                queue.append(neighbour)
    if goal not in came_from:
        return None
    path = []
    place = goal
    while place is not None:
        path.insert(0, place)
        place = came_from[place]
    return path


def main():
    graph = {
        "A": ["B", "C"],
        "B": ["A", "D"],
        "C": ["A", "D"],
        "D": ["B", "C", "E"],
        "E": ["D"],
        "F": [],
    }
    for goal in ["E", "A", "F"]:
        path = shortest_path(graph, "A", goal)
        if path is None:
            print(f"A to {goal}: no path")
        else:
            print(f"A to {goal}: {' '.join(path)}")


if __name__ == "__main__":
    main()
