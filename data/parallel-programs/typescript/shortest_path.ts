type Graph = Record<string, string[]>;

function shortestPath(
  graph: Graph,
  start: string,
  goal: string,
): string[] | null {
  const queue: string[] = [start];
  const cameFrom = new Map<string, string | null>([[start, null]]);
  while (queue.length > 0) {
    const place = queue.shift()!;
    if (place === goal) {
      break;
    }
    for (const neighbour of graph[place]) {
      if (!cameFrom.has(neighbour)) {
        cameFrom.set(neighbour, place);
        queue.push(neighbour);
      }
    }
  }
  if (!cameFrom.has(goal)) {
    return null;
  }
  const path: string[] = [];
  let place: string | null = goal;
  while (place !== null) {
    path.unshift(place);
    place = cameFrom.get(place) ?? null;
  }
  return path;
}

function main(): void {
  const graph: Graph = {
    A: ["B", "C"],
    B: ["A", "D"],
    C: ["A", "D"],
    D: ["B", "C", "E"],
    E: ["D"],
    F: [],
  };
  for (const goal of ["E", "A", "F"]) {
    const path = shortestPath(graph, "A", goal);
    if (path === null) {
      console.log(`A to ${goal}: no path`);
    } else {
      console.log(`A to ${goal}: ${path.join(" ")}`);
    }
  }
}

main();
