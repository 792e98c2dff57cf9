public class Main {
    private static int binarySearch(int[] items, int target) {
        int low = 0;
        int high = items.length - 1;
        while (low <= high) {
            int middle = low + (high - low) / 2;
            if (items[middle] == target) {
                return middle;
            } else if (items[middle] < target) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return -1;
    }

    public static void main(String[] args) {
        int[] numbers = {2, 3, 5, 7, 11, 13, 17, 19};
        for (int target : new int[] {7, 2, 19, 4}) {
            int position = binarySearch(numbers, target);
            if (position < 0) {
                System.out.println(target + " is missing");
            } else {
                System.out.println(target + " is at " + position);
            }
        }
    }
}
