function found = records(bytes)
  % The records of whole lines of JSON: a struct array if all are alike, else a cell. Empty lines are signs of life.
  newline = char(10);
  text = strrep(bytes, ['}' newline], '},');
  text = radiod.internal.from_bytes(strrep(text, newline, ''));
  if isempty(text)
    found = {};
  else
    found = radiod.internal.from_json(['[' text(1:end - 1) ']']);
  end
end
