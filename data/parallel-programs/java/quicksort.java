import java.util.Arrays;
import java.util.stream.Collectors;

public class Main {
    private static void swap(int[] items, int first, int second) {
        int saved = items[first];
        items[first] = items[second];
        items[second] = saved;
    }

    private static int partition(int[] items, int low, int high) {
        int pivot = items[high];
        int border = low;
        for (int index = low; index < high; index++) {
            if (items[index] < pivot) {
                swap(items, border, index);
                border++;
            }
        }
        swap(items, border, high);
        return border;
    }

    private static void quicksort(int[] items, int low, int high) {
        if (low < high) {
            int border = partition(items, low, high);
            quicksort(items, low, border - 1);
            quicksort(items, border + 1, high);
        }
    }

    public static void main(String[] args) {
        int[] numbers = {33, 4, 15, 8, 42, 16, 23, 4, 0, -7};
        quicksort(numbers, 0, numbers.length - 1);
        System.out.println(
                Arrays.stream(numbers).mapToObj(String::valueOf).collect(Collectors.joining(" ")));
    }
}
