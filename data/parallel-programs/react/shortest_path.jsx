import { createContext, useContext } from "react";

const GRAPH = {
  A: ["B", "C"],
  B: ["A", "D"],
  C: ["A", "D"],
  D: ["B", "C", "E"],
  E: ["D"],
  F: [],
};

const GraphContext = createContext(null);

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

function Route({ start, goal }) {
  const graph = useContext(GraphContext);
  const path = shortestPath(graph, start, goal);
  return (
    <li>
      {start} to {goal}: {path === null ? "no path" : path.join(" ")}
    </li>
  );
}

export default function ShortestPath({ goals = ["E", "A", "F"] }) {
  return (
    <GraphContext value={GRAPH}>
      <ul>
        {goals.map((goal) => (
          <Route key={goal} start="A" goal={goal} />
        ))}
      </ul>
    </GraphContext>
  );
}
