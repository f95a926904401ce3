function text = json_text(value)
  % value as JSON. Single precision is written as double: Octave's jsonencode knows no other.
  try
    text = jsonencode(widened(value));
  catch trouble
    error('radiod:argument', 'cannot be sent as JSON: %s', trouble.message);
  end
end

function value = widened(value)
  if isa(value, 'single')
    value = double(value);
  elseif isnumeric(value) && ~isreal(value)
    error('radiod:argument', 'complex numbers are not JSON');
  elseif iscell(value)
    value = cellfun(@widened, value, 'UniformOutput', false);
  elseif isstruct(value)
    names = fieldnames(value);
    for i = 1:numel(value)
      for k = 1:numel(names)
        value(i).(names{k}) = widened(value(i).(names{k}));
      end
    end
  end
end
