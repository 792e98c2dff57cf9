use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

type Graph<'a> = HashMap<&'a str, Vec<&'a str>>;

fn shortest_path<'a>(graph: &Graph<'a>, start: &'a str, goal: &'a str) -> Option<Vec<&'a str>> {
    let mut queue = VecDeque::from([start]);
    let mut came_from = HashMap::from([(start, None)]);
    while let Some(place) = queue.pop_front() {
        if place == goal {
            break;
        }
        for &neighbour in &graph[place] {
            if let Entry::Vacant(entry) = came_from.entry(neighbour) {
                entry.insert(Some(place));
                queue.push_back(neighbour);
            }
        }
    }
    if !came_from.contains_key(goal) {
        return None;
    }
    let mut path = Vec::new();
    let mut step = Some(goal);
    while let Some(place) = step {
        path.push(place);
        step = came_from[place];
    }
    path.reverse();
    Some(path)
}

fn main() {
    let graph = HashMap::from([
        ("A", vec!["B", "C"]),
        ("B", vec!["A", "D"]),
        ("C", vec!["A", "D"]),
        ("D", vec!["B", "C", "E"]),
        ("E", vec!["D"]),
        ("F", vec![]),
    ]);
    for goal in ["E", "A", "F"] {
        match shortest_path(&graph, "A", goal) {
            Some(path) => println!("A to {goal}: {}", path.join(" ")),
            None => println!("A to {goal}: no path"),
        }
    }
}
