use std::cmp::Ordering;

fn binary_search(items: &[i32], target: i32) -> Option<usize> {
    let mut low = 0;
    let mut high = items.len();
    while low < high {
        let middle = low + (high - low) / 2;
        match items[middle].cmp(&target) {
            Ordering::Equal => return Some(middle),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    None
}

fn main() {
    let numbers = [2, 3, 5, 7, 11, 13, 17, 19];
    for target in [7, 2, 19, 4] {
        match binary_search(&numbers, target) {
            Some(position) => println!("{target} is at {position}"),
            None => println!("{target} is missing"),
        }
    }
}
