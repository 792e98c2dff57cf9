fn partition(items: &mut [i32]) -> usize {
    let high = items.len() - 1;
    let pivot = items[high];
    let mut border = 0;
    for index in 0..high {
        if items[index] < pivot {
            items.swap(border, index);
            border += 1;
        }
    }
    items.swap(border, high);
    border
}

fn quicksort(items: &mut [i32]) {
    if items.len() > 1 {
        let border = partition(items);
        quicksort(&mut items[..border]);
        quicksort(&mut items[border + 1..]);
    }
}

fn main() {
    let mut numbers = [33, 4, 15, 8, 42, 16, 23, 4, 0, -7];
    quicksort(&mut numbers);
    let words: Vec<String> = numbers.iter().map(|number| number.to_string()).collect();
    println!("{}", words.join(" "));
}
