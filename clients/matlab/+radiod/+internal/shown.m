function text = shown(args)
  % Arguments of an error, for people.
  if iscell(args) && numel(args) == 1
    args = args{1};
  end
  if ischar(args)
    text = args;
  else
    text = jsonencode(args);
  end
end
