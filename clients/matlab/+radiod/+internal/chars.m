function value = chars(value)
  % MATLAB's string as characters; all else as it is. Octave has no string.
  if isa(value, 'string') && isscalar(value)
    value = char(value);
  end
end
