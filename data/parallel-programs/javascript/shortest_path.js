function shortestPath(graph, start, goal) {
  const queue = [start];
  const cameFrom = new Map([[start, null]]);
  while (queue.length > 0) {
    const place = queue.shift();
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
  const path = [];
  let place = goal;
  while (place !== null) {
    path.unshift(place);
    place = cameFrom.get(place);
  }
  return path;
}

function main() {
  const graph = {
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
