function toFahrenheit(celsius) {
  return (celsius * 9.0) / 5.0 + 32.0;
}

function Row({ celsius, fahrenheit }) {
  return (
    <li>
      {celsius} {fahrenheit.toFixed(1)}
    </li>
  );
}

export default function TemperatureTable({ start = -10, end = 45, step = 10 }) {
  const rows = [];
  let total = 0.0;
  for (let celsius = start; celsius < end; celsius += step) {
    const fahrenheit = toFahrenheit(celsius);
    rows.push(<Row key={celsius} celsius={celsius} fahrenheit={fahrenheit} />);
    total += fahrenheit;
  }

  return (
    <ul>
      <li>celsius fahrenheit</li>
      {rows}
      {rows.length > 0 && <li>mean {(total / rows.length).toFixed(3)}</li>}
    </ul>
  );
}
