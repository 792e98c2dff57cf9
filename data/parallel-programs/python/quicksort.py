def partition(items, low, high):
    pivot = items[high]
    border = low
    for index in range(low, high):
        if items[index] < pivot:
            items[border], items[index] = items[index], items[border]
            border += 1
    items[border], items[high] = items[high], items[border]
    return border


def quicksort(items, low, high):
    if low < high:
        border = partition(items, low, high)
        quicksort(items, low, border - 1)
        quicksort(items, border + 1, high)


def main():
    numbers = [33, 4, 15, 8, 42, 16, 23, 4, 0, -7]
    quicksort(numbers, 0, len(numbers) - 1)
    print(" ".join(str(number) for number in numbers))


if __name__ == "__main__":
    main()
