function chosen = options(chosen, given)
  % Names and values over defaults. chosen: a struct of defaults. given: a cell {name, value, ...}.
  known = fieldnames(chosen);
  if mod(numel(given), 2) ~= 0
    error('radiod:argument', 'options come as names and values');
  end
  for i = 1:2:numel(given)
    name = radiod.internal.chars(given{i});
    if ~ischar(name) || ~any(strcmp(name, known))
      error('radiod:argument', 'an option must be one of: %s', strjoin(known', ', '));
    end
    value = radiod.internal.chars(given{i + 1});
    if ischar(chosen.(name)) ~= ischar(value) && ~(ischar(chosen.(name)) && isempty(value))
      kinds = {'a number', 'text'};
      error('radiod:argument', 'option %s must be %s', name, kinds{1 + ischar(chosen.(name))});
    end
    if isnumeric(chosen.(name)) && ~isempty(chosen.(name)) && ~(isscalar(value) && isnumeric(value) && value >= 0)
      error('radiod:argument', 'option %s must be a number from 0 up', name);
    end
    chosen.(name) = value;
  end
end
